"""A conformance suite for node types and motifs: each one's plan against the module that is built from it.

    import lab.shuffle  # registers the node type
    from genome.testing import cases

    @pytest.mark.parametrize("case", cases("shuffle"), ids=str)
    def test_shuffle(case):
        case.run()

or, without pytest, `check_node_type("shuffle")`. This project runs the same suite over its own node types. pytest is
not needed to import this package, and torch is imported when a case runs.
"""

# the order of the imports is the order of the checks
from genome.testing import definition_checks as _definition_checks  # noqa: F401
from genome.testing import module_checks as _module_checks  # noqa: F401
from genome.testing.suite import CHECKS, Case, Check, Traits, cases, check_node_type
from genome.testing.variants import around, label, variants

__all__ = ["CHECKS", "Case", "Check", "Traits", "around", "cases", "check_node_type", "label", "variants"]
