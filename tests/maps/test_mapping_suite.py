"""CPython's own tests of mappings, run over Ctrie."""

from __future__ import annotations

import unittest

import pytest

from fastprims import Ctrie

# Some distributions ship the interpreter without its tests.
mapping_tests = pytest.importorskip("test.mapping_tests", reason="no test package")


class CtrieBasicTest(mapping_tests.BasicTestMappingProtocol):
    type2test = Ctrie


class CtrieMappingTest(mapping_tests.TestMappingProtocol):
    type2test = Ctrie


class CtrieHashMappingTest(mapping_tests.TestHashMappingProtocol):
    type2test = Ctrie


class Derived(Ctrie):  # type: ignore[type-arg]
    pass


class DerivedHashMappingTest(mapping_tests.TestHashMappingProtocol):
    type2test = Derived


def test_enough_tests_are_run() -> None:
    loader = unittest.defaultTestLoader
    assert len(loader.getTestCaseNames(CtrieHashMappingTest)) >= 20
