"""What a server and a client of TF Serving's protocols both know."""
