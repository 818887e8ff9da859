"""A client of TF Serving, over REST and gRPC, without TensorFlow.

from zoo.client import Client

with Client("http://localhost:8501", "en-zh") as client:
    print(client.translate(["Where is the cat?"]))
    client.align("Where is the cat?").plot("heatmap.png")
"""

from zoo.client.client import Client
from zoo.client.descriptions import Metadata, Signature, TensorSpec
from zoo.client.errors import ServerError
from zoo.client.retries import Retries
from zoo.protocol.version_status import VersionStatus

__all__ = [
    "Client",
    "Metadata",
    "Retries",
    "ServerError",
    "Signature",
    "TensorSpec",
    "VersionStatus",
]
