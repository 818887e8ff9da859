"""Files with which exports are deployed."""

from zoo.deployment.deployed_model import DeployedModel
from zoo.deployment.deployment import Deployment
from zoo.deployment.names import check_image, check_name
from zoo.deployment.write import check_writable, write_deployment

__all__ = [
    "DeployedModel",
    "Deployment",
    "check_image",
    "check_name",
    "check_writable",
    "write_deployment",
]
