"""Find the data source that a running kernel asks for, as kagglehub does in a notebook."""

from dataclasses import dataclass
from pathlib import Path

from .competitions import CompetitionService
from .datasets import DatasetService
from .kernels.mounts import Datasource, mount_path
from .kernels.service import KernelService
from .models import ModelService
from .rpc import Fields, Refused


@dataclass
class Datasources:
    """The data sources of a sandbox. An unknown or private one is refused as in the API."""

    competitions: CompetitionService
    datasets: DatasetService
    models: ModelService
    kernels: KernelService
    layout: str  # of /kaggle/input: 2026 | 2022

    def find(self, request: Fields) -> Datasource:
        """Return the source in an AttachDatasourceUsingJwt request. Raises Refused."""
        finders = {
            "competitionRef": self._competition,
            "datasetRef": self._dataset,
            "kernelRef": self._kernel,
            "modelRef": self._model,
        }
        for name, find in finders.items():
            if name in request:
                return find(request.inner(name))
        raise Refused(400, f"The request names no data source. Expected one of {list(finders)}.")

    def _competition(self, ref: Fields) -> Datasource:
        slug = ref.text("CompetitionSlug")
        folder = self.competitions.folder(slug)
        return Datasource(mount_path("competition", slug, self.layout), folder, None)

    def _dataset(self, ref: Fields) -> Datasource:
        names = {"ownerSlug": ref.text("OwnerSlug"), "datasetSlug": ref.text("DatasetSlug")}
        fields = Fields({**names, "datasetVersionNumber": ref.number("VersionNumber")})
        handle, folder = self.datasets.find_folder(fields)
        return self._versioned("dataset", handle, folder)

    def _model(self, ref: Fields) -> Datasource:
        names = {"ownerSlug": "OwnerSlug", "modelSlug": "ModelSlug"}
        names |= {"framework": "Framework", "instanceSlug": "InstanceSlug"}
        fields = Fields({field: ref.text(name) for field, name in names.items()})
        fields["versionNumber"] = ref.number("VersionNumber")
        handle, folder = self.models.find_folder(fields)
        return self._versioned("model", f"{handle}/{folder.name}", folder)

    def _kernel(self, ref: Fields) -> Datasource:
        number = ref.number("VersionNumber")
        fields = {"userName": ref.text("OwnerSlug"), "kernelSlug": ref.text("KernelSlug")}
        label = {"versionLabel": f"v{number}"} if number else {}
        version, folder = self.kernels.find_output(Fields({**fields, **label}))
        path = mount_path("kernel", version.handle, self.layout)
        return Datasource(path, folder, version.number)

    def _versioned(self, kind: str, handle: str, folder: Path) -> Datasource:
        """Return a source whose folder is named after its version's number."""
        return Datasource(mount_path(kind, handle, self.layout), folder, int(folder.name))
