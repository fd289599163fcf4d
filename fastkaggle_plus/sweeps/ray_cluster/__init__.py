"""Parts of `run_ray`: the connection, the checks of nodes, and what runs on a node."""
