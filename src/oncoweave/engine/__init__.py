"""The only code that touches data files: connections, readers, the function catalogue, Parquet."""
