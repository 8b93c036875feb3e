"""Makes links that are right in the repository right in the site.

The pages of the repository's root become pages of the site. What else lies outside docs/ is not
in it: of such a link its text remains.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ROOT_PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to where things are in the site."""
    source = page.file.src_uri
    in_repository = source if source in ROOT_PAGES else f"docs/{source}"

    def in_site(link: re.Match[str]) -> str:
        text, path, anchor = link[1], link[2], link[3] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository), path))
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif target not in ROOT_PAGES:
            return text
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(source) or '.')}{anchor})"

    return LINK.sub(in_site, markdown)
