"""Files with which exports are deployed."""
