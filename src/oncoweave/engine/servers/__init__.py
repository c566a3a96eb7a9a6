"""Deliveries that come from servers: rows of a database, and files of S3, SFTP and web servers, brought to this machine.

What arrives is put into a private folder as files; from there on it is read as any other delivery.
"""
