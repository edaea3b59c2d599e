"""One short file for each subcommand; each fills a stage's configuration and calls the stage."""
