# The oldest versions of others' things that Sterna is built with. README.md and pyproject.toml name the same, for readers
# and for pip, which do not see this file; tests/rules/test_third_party.py compares them.
set(STERNA_PYTHON_VERSION 3.10)
set(STERNA_NANOBIND_VERSION 2.4)
set(STERNA_DOCTEST_VERSION 2.4)
