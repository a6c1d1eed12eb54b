"""draw: a plan as SVG."""

from genome.resolve import Plan


def draw(plan: Plan) -> str:
    raise NotImplementedError
