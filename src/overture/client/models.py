"""The client's calls for model endpoints."""

from overture.client.calling import Caller
from overture.web.api.models import CheckModel, ModelCheck, ModelList


class ModelCalls(Caller):
    """Looks at model endpoints, and has them checked."""

    async def list_models(self) -> ModelList:
        """The endpoints of the settings with what is known of them."""
        return await self._get(ModelList, "/overture/v1/models")

    async def check_model(self, name: str | None) -> ModelCheck:
        """Have an endpoint checked, None being the default one."""
        return await self._get(ModelCheck, "/overture/v1/models/check", method="POST", body=CheckModel(name=name))
