"""Turns a finished result into what people and machines read, by pure functions.

The page, Allure, SARIF and JUnit are made from the same findings. This package judges nothing and
executes nothing.
"""
