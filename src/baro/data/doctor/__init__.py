"""What is wrong with data, told before the first step: small checks of rows and of whole files, and their report."""
