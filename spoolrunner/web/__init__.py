"""The operator's page: an extra (`spoolrunner[web]`), which stands on the desk alone. Nothing imports it but the verb `web`."""
