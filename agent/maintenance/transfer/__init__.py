"""Files to and from servers: http, https, ftp, ftps. The only place that speaks these."""
