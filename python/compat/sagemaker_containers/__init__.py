"""Names that scripts for AWS's older scikit-learn and XGBoost images import, for Pythons without
the sagemaker-containers package. The real one, where it is installed, is found first."""
