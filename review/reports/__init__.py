"""What a person reads in a minute, and what machines read: Markdown, HTML, JSON, SARIF, JUnit."""
