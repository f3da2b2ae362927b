"""The history of the tables, one step a file. Each step runs beside the release before it."""
