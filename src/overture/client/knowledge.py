"""The client's calls for knowledge bases."""

from overture.client.calling import Caller, quoted, read
from overture.web.api.knowledge import FoundPassages, KnowledgeList, SavedKnowledge, WholeKnowledge

_PATH = "/overture/v1/knowledge"


class KnowledgeCalls(Caller):
    """Brings knowledge, looks at it and asks it."""

    async def put_knowledge(self, name: str, text: bytes) -> SavedKnowledge:
        """Let a text be a base's."""
        raw, _ = await self._call("PUT", f"{_PATH}/{quoted(name)}", text)
        return read(raw, SavedKnowledge)

    async def list_knowledge(self, *, limit: int = 200, offset: int = 0) -> KnowledgeList:
        """A page of bases by name."""
        return await self._get(KnowledgeList, _PATH, query={"limit": str(limit), "offset": str(offset)})

    async def get_knowledge(self, name: str) -> WholeKnowledge:
        """A base with its text."""
        return await self._get(WholeKnowledge, f"{_PATH}/{quoted(name)}")

    async def search_knowledge(self, name: str, words: str, *, limit: int = 6) -> FoundPassages:
        """The passages that say most of what is asked."""
        query = {"q": words, "limit": str(limit)}
        return await self._get(FoundPassages, f"{_PATH}/{quoted(name)}/search", query=query)

    async def remove_knowledge(self, name: str) -> None:
        """Take a base away."""
        await self._call("DELETE", f"{_PATH}/{quoted(name)}")
