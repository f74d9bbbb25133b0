"""What finished runs leave: rows, where they are kept, the paper's table beside them, and plain tables of them."""
