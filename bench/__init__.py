"""Measurements that the documentation goes by."""
