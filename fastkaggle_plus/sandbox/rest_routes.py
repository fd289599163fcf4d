"""The addresses that kaggle before 1.8 asks, and the RPC methods that answer them."""

import re
from dataclasses import dataclass

from starlette.routing import compile_path

# For each service: verb, path, RPC method. `< x`: the body is the field x of the request.
# `> x`: the answer is the field x alone.
_OF_MODEL, _OF_VARIATION = "{ownerSlug}/{modelSlug}", "{framework}/{instanceSlug}"
_TABLES = {
    "competitions.CompetitionApiService": """
        GET competitions/list ListCompetitions > competitions
        GET competitions/data/list/{competitionName} ListDataFiles
        GET competitions/data/download-all/{competitionName} DownloadDataFiles
        GET competitions/data/download/{competitionName}/{fileName:path} DownloadDataFile
        GET competitions/{competitionName}/leaderboard/download DownloadLeaderboard
        GET competitions/{competitionName}/leaderboard/view GetLeaderboard
        GET competitions/submissions/list/{competitionName} ListSubmissions > submissions
        POST competitions/submissions/get/{ref} GetSubmission
        POST competitions/submission-url StartSubmissionUpload
        POST competitions/{competitionName}/submissions/url/{contentLength}/{lastModifiedDateUtc} \
            StartSubmissionUpload
        POST competitions/submissions/submit/{competitionName} CreateSubmission
        POST competitions/submissions/submit-notebook/{competitionName} CreateCodeSubmission
        """,
    "datasets.DatasetApiService": """
        GET datasets/list ListDatasets > datasets
        GET datasets/list/{ownerSlug}/{datasetSlug} ListDatasetFiles
        GET datasets/view/{ownerSlug}/{datasetSlug} GetDataset
        GET datasets/status/{ownerSlug}/{datasetSlug} GetDatasetStatus > status
        GET datasets/metadata/{ownerSlug}/{datasetSlug} GetDatasetMetadata
        POST datasets/metadata/{ownerSlug}/{datasetSlug} UpdateDatasetMetadata < settings
        GET datasets/download/{ownerSlug}/{datasetSlug} DownloadDataset
        GET datasets/download/{ownerSlug}/{datasetSlug}/{fileName:path} DownloadDataset
        GET datasets/download-raw/{ownerSlug}/{datasetSlug}/{fileName:path} DownloadDatasetRaw
        POST datasets/create/new CreateDataset
        POST datasets/create/version/{ownerSlug}/{datasetSlug} CreateDatasetVersion < body
        POST datasets/create/version/{id} CreateDatasetVersionById < body
        POST dataset/{ownerSlug}/{datasetSlug}/delete DeleteDataset
        """,
    "kernels.KernelsApiService": """
        GET kernels/list ListKernels > kernels
        GET kernels/files ListKernelFiles
        GET kernels/output ListKernelSessionOutput
        GET kernels/output/download/{ownerSlug}/{kernelSlug} DownloadKernelOutput
        GET kernels/output/download/{ownerSlug}/{kernelSlug}/{filePath:path} DownloadKernelOutput
        GET kernels/pull GetKernel
        POST kernels/push SaveKernel
        GET kernels/status GetKernelSessionStatus
        """,
    "models.ModelApiService": """
        GET models/list ListModels
        POST models/create/new CreateModel
        GET models/MODEL/get GetModel
        POST models/MODEL/update UpdateModel
        POST models/MODEL/delete DeleteModel
        POST models/MODEL/create/instance CreateModelInstance < body
        GET models/MODEL/VARIATION/get GetModelInstance
        GET models/MODEL/VARIATION/files ListModelInstanceVersionFiles
        POST models/MODEL/VARIATION/update UpdateModelInstance
        POST models/MODEL/VARIATION/delete DeleteModelInstance
        POST models/MODEL/VARIATION/create/version CreateModelInstanceVersion < body
        GET models/MODEL/VARIATION/{versionNumber}/files ListModelInstanceVersionFiles
        GET models/MODEL/VARIATION/{versionNumber}/download DownloadModelInstanceVersion
        GET models/MODEL/VARIATION/{versionNumber}/download/{path:path} DownloadModelInstanceVersion
        POST models/MODEL/VARIATION/{versionNumber}/delete DeleteModelInstanceVersion
        """,
    "blobs.BlobApiService": "POST blobs/upload StartBlobUpload",
    "admin.InboxFileService": "POST inbox/files/create CreateInboxFile",
}


@dataclass(frozen=True)
class RestRoute:
    """One REST route and the RPC method that answers it."""

    verb: str
    pattern: re.Pattern[str]
    service: str
    method: str
    body_field: str = ""  # the field of the RPC request that holds the body
    answer_field: str = ""  # the field of the RPC answer that is the whole REST answer


def _read_tables() -> list[RestRoute]:
    routes = []
    for service, table in _TABLES.items():
        for line in table.strip().splitlines():
            verb, path, method, *more = line.split()
            path = path.replace("MODEL", _OF_MODEL).replace("VARIATION", _OF_VARIATION)
            pattern = compile_path(f"/api/v1/{path}")[0]
            fields = dict(zip(more[::2], more[1::2], strict=True))
            inside, alone = fields.get("<", ""), fields.get(">", "")
            routes.append(RestRoute(verb, pattern, service, method, inside, alone))
    return routes


_ROUTES = _read_tables()


def find_route(verb: str, path: str) -> tuple[RestRoute | None, dict[str, str]]:
    """Return the route of a request with the values in its path; None for no REST route."""
    for route in _ROUTES:
        if route.verb == verb and (found := route.pattern.fullmatch(path)):
            return route, found.groupdict()
    return None, {}
