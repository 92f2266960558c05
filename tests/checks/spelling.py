#!/usr/bin/env python3
"""Checks the spelling of the documents and of the comments in the public headers, with hunspell.

    tests/checks/spelling.py           prints unknown words with file and line
    tests/checks/spelling.py --write   rewrites the list of the project's own words; look at the difference before you
                                       commit it

Words that hunspell's American English dictionary does not contain are listed in tests/checks/words.txt, sorted, one per
line. A listed word that no text uses is an error too. Code is not checked: code blocks and spans, and identifiers.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ROOT / "tests" / "checks" / "words.txt"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/*.md")
GENERATED = {"docs/reference.md"}

NOT_PROSE = re.compile(r"``.*?``|`[^`]*`|\]\([^)]*\)|<[^>]*>|&\w+;|https?://\S+|\"[^\" ]*[^\w\" ][^\" ]*\"")
# Identifiers, paths, options and figures: anything that letters share with digits or these characters.
CODE = re.compile(r"\S*(?:[\w)]::|[a-z]\(|[_/\\=<>{}@#$%~]|\d|--)\S*|(?<!\w)\.\w+"
                  r"|\b\w+\.(?:hpp|cpp|py|toml|json|txt|so|deb)\b")
WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
COMMENT = re.compile(r"^\s*(?:///<?|//)(.*)$|\s(?:///<|//) (.*)$")


def prose_of_markdown(text: str):
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not re.match(r"(?: {4}|\t)(?![-*\d ])", line):
            yield number, line


def prose_of_header(text: str):
    for number, line in enumerate(text.splitlines(), 1):
        if match := COMMENT.search(line):
            comment = match[1] if match[1] is not None else match[2]
            is_example = comment.startswith("   ") or comment.lstrip().startswith("NOLINT")
            if not is_example:
                yield number, comment


def words_of(line: str) -> set[str]:
    line = CODE.sub(" ", NOT_PROSE.sub(" ", line))
    found = set()
    for word in WORD.findall(line):
        word = re.sub(r"['’]s?$", "", word.replace("’", "'"))
        if len(word) > 2 and not word.isupper():
            found.add(word)
    return found


def places_of_words() -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    texts = [(path, prose_of_markdown) for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))]
    texts += [(path, prose_of_header) for path in sorted((ROOT / "include").rglob("*.hpp"))]
    for path, prose in texts:
        name = str(path.relative_to(ROOT))
        if name in GENERATED:
            continue
        for number, line in prose(path.read_text(encoding="utf-8")):
            for word in words_of(line):
                places.setdefault(word, []).append(f"{name}:{number}")
    return places


def unknown_to_dictionary(words) -> set[str]:
    done = subprocess.run(["hunspell", "-d", "en_US", "-i", "utf-8", "-l"], input="\n".join(sorted(words)) + "\n",
                          capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"spelling.py: hunspell failed: {done.stderr.strip()}")
    return set(done.stdout.split())


def order(word: str) -> tuple[str, str]:
    return word.lower(), word


def main() -> int:
    if shutil.which("hunspell") is None:
        sys.exit("spelling.py: hunspell is not installed: run ./setup, or install hunspell and its dictionary en_US")
    places = places_of_words()
    unknown = unknown_to_dictionary(places)
    if "--write" in sys.argv[1:]:
        WORDS.write_text("".join(f"{word}\n" for word in sorted(unknown, key=order)), encoding="utf-8")
        return 0

    own = WORDS.read_text(encoding="utf-8").splitlines()
    errors = [f"{places[word][0]}: unknown word '{word}': correct it, or add it to tests/checks/words.txt"
              for word in sorted(unknown - set(own), key=order)]
    errors += [f"tests/checks/words.txt: '{word}' is not needed: remove it" for word in own if word not in unknown]
    if own != sorted(set(own), key=order):
        errors.append("tests/checks/words.txt: is not sorted, or has a word twice: sort -f -u")
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
