"""Models of tables: forests, boosted trees, linear models, fastai's net, lesson 5 from scratch."""
