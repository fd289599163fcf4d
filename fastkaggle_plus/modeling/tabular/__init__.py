"""Models of tables: forests, boosted trees, fastai's net, and lesson 5 from scratch."""
