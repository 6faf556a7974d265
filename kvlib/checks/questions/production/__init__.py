"""Questions of chapter 10, production."""
