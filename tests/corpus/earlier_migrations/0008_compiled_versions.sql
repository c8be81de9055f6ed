-- A version that was seen while it was being compiled learns later what it is.
GRANT UPDATE (bytes, parity, test_accuracy) ON model_versions TO mlops_app;
