"""Run jobs in processes of this machine: a pool of workers, and the order of jobs on its GPUs."""
