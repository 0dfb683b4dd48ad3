"""The command line: ``claid``, and ``airflow claid`` from Airflow 3.2 on.

A group of commands is a module of this package that defines a :class:`~.command.Command` or a :class:`~.command.Group`,
and a line in :mod:`.commands`. Modules import what their commands need inside of the functions that run them: Airflow
reads all definitions whenever anybody enters ``airflow``.
"""
