"""What runs beside the product: the lab that measures it, dashboards, decisions and files of deployment."""
