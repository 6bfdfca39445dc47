"""Systems that others run: reached under one name, watched from inside, with an owner and a contract."""
