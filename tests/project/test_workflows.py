"""The workflows of .github: what they ask for is there, and they may do no more than they need."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
# What a step may be given beyond reading, by the action that needs it.
NEEDED = {
    "actions/checkout": {"contents": "read"},
    "actions/deploy-pages": {"id-token": "write", "pages": "write"},
    "actions/attest-build-provenance": {"id-token": "write", "attestations": "write"},
    "pypa/gh-action-pypi-publish": {"id-token": "write"},
}


def problems(workflow):
    """Return what is wrong with a workflow, as sentences."""
    found = [] if workflow["permissions"] == {} else ["permissions are those of jobs, at the top {}"]
    for name, job in workflow["jobs"].items():
        needs = job.get("needs", [])
        for other in [needs] if isinstance(needs, str) else needs:
            if other not in workflow["jobs"]:
                found.append(f"{name} needs {other}, which is not there")
        if "timeout-minutes" not in job:
            found.append(f"{name} has no timeout")
        wanted = {}
        for step in job["steps"]:
            action, _, version = step.get("uses", "").partition("@")
            if action and not version:
                found.append(f"{name}: {action} without a version")
            wanted |= NEEDED.get(action, {})
            for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
                if target not in TARGETS:
                    found.append(f"{name}: make {target} is not there")
        if job.get("permissions") != wanted:
            found.append(f"{name} may {job.get('permissions')}, and needs {wanted}")
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_asks_for_what_is_there_and_for_no_more(path):
    assert problems(yaml.safe_load(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_an_action_is_named_by_its_commit_and_its_version_stands_beside_it(path):
    used = re.findall(r"^.*\buses: (.*)$", path.read_text("utf-8"), re.MULTILINE)
    assert used
    for each in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


def test_there_is_one_for_the_site_and_one_for_releases():
    assert {path.stem for path in WORKFLOWS} >= {"pages", "release"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"timeout-minutes": None}, "no timeout"),
        ({"needs": "tests"}, "needs tests, which is not there"),
        ({"permissions": {"contents": "write"}}, "and needs"),
        ({"steps": [{"uses": "actions/checkout"}]}, "without a version"),
        ({"steps": [{"uses": "actions/checkout@v5"}, {"run": "make site"}]}, "make site is not there"),
    ],
)
def test_what_is_wrong_with_a_workflow_is_found(change, found):
    job = {"timeout-minutes": 5, "permissions": {"contents": "read"}}
    job |= {"steps": [{"uses": "actions/checkout@v5"}, {"run": "make docs"}]}
    assert problems({"permissions": {}, "jobs": {"build": job}}) == []
    job = {key: value for key, value in (job | change).items() if value is not None}
    assert any(found in each for each in problems({"permissions": {}, "jobs": {"build": job}}))
