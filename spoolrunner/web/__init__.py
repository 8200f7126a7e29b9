"""The operator's page: HTML and SVG that the server draws, on the desk alone. Needs the extra `web`."""
