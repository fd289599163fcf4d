"""The competition endpoints: what each RPC method of CompetitionApiService answers."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .bundles import Bundle
from .kernels.code_submissions import CodeSubmissions
from .listing import below, summary, tree
from .rpc import Fields, Refused, Service, changed, page, stamp
from .submissions import Submissions, deadline, is_over
from .transfers import Transfers

_CATEGORIES = ("", "UNSPECIFIED", "ALL", "GETTING_STARTED")  # what the competitions here pass for


@dataclass
class CompetitionService(Service):
    "The methods, by their RPC names."

    bundles: dict[str, Bundle]
    submissions: Submissions
    transfers: Transfers
    user: str
    code: CodeSubmissions | None = None

    def rpc_list_competitions(self, request: Request, f: Fields) -> Fields:
        found = [
            b
            for b in self.bundles.values()
            if f.get("search", "").lower() in f"{b.slug} {b.comp.title}".lower()
        ]
        group = f.get("group", "").upper().removeprefix("COMPETITION_LIST_TAB_")
        if group == "ENTERED":
            found = [b for b in found if b.comp.sandbox.rules_accepted]
        if (
            group in ("HOSTED", "COMMUNITY")
            or f.get("category", "").upper().removeprefix("HOST_SEGMENT_") not in _CATEGORIES
        ):
            found = []
        order = f.get("sortBy", "").upper().removeprefix("COMPETITION_SORT_BY_")
        if order in ("EARLIEST_DEADLINE", "LATEST_DEADLINE"):
            found.sort(key=deadline, reverse=order.startswith("LATEST"))
        if order == "NUMBER_OF_TEAMS":
            found.sort(key=lambda b: len(self._standings(b, {})), reverse=True)
        return page("competitions", [self._facts(b) for b in found], f)

    def rpc_get_competition(self, request: Request, f: Fields) -> Fields:
        return self._facts(self._bundle(f))

    def rpc_list_data_files(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f)
        return page("files", [_file(name, file) for name, file in bundle.files.items()], f)

    def rpc_list_data_tree_files(self, request: Request, f: Fields) -> Fields:
        bundle, at = self._bundle(f), f.get("path", "").strip("/")
        return tree(below(bundle.files, at), at, f)

    def rpc_get_competition_data_files_summary(self, request: Request, f: Fields) -> Fields:
        return summary(self._bundle(f).files)

    def rpc_list_competition_pages(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f)
        pages = {
            "Description": bundle.comp.title or bundle.slug,
            "Evaluation": f"Submissions are scored by {bundle.comp.metric}.",
            "Rules": "This is a rehearsal: there are no prizes.",
        }
        wanted = {k: v for k, v in pages.items() if f.get("pageName", k) == k}
        return {
            "pages": [
                {"name": k, "content": v, "isPublished": True, "mimeType": "text/markdown"}
                for k, v in wanted.items()
            ]
        }

    def rpc_download_data_file(self, request: Request, f: Fields) -> Response:
        bundle = self._bundle(f, download=True)
        name = f.get("fileName", "")
        if name not in bundle.files:
            raise Refused(404, f"File {name!r} was not found in {bundle.slug}.")
        return RedirectResponse(
            self.transfers.link(request, bundle.files[name], Path(name).name), 302
        )

    def rpc_download_data_files(self, request: Request, f: Fields) -> Response:
        bundle = self._bundle(f, download=True)
        return RedirectResponse(
            self.transfers.link(request, self.transfers.bundle_zip(bundle), "archive.zip"), 302
        )

    def rpc_get_leaderboard(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f)
        rows = [
            {
                "teamId": _number_of(r["team"]),
                "teamName": r["team"],
                "submissionDate": r["date"],
                "score": score_text(r["score"]),
            }
            for r in self._standings(bundle, f)
        ]
        return page("submissions", rows, f)

    def rpc_download_leaderboard(self, request: Request, f: Fields) -> Response:
        bundle, text, packed = self._bundle(f), io.StringIO(), io.BytesIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(["Rank", "TeamId", "TeamName", "LastSubmissionDate", "Score"])
        for rank, r in enumerate(self._standings(bundle, f), 1):
            out.writerow(
                [rank, _number_of(r["team"]), r["team"], r["date"], score_text(r["score"])]
            )
        name = f"{bundle.slug}-{'private' if is_over(bundle) else 'public'}leaderboard"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr(f"{name}.csv", text.getvalue())
        return Response(
            packed.getvalue(),
            media_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
        )

    def rpc_start_submission_upload(self, request: Request, f: Fields) -> Fields:
        self._bundle(f, submit=True)
        if not f.get("fileName"):
            raise Refused(400, "fileName is missing.")
        return self.transfers.upload(
            request, f["fileName"], int(f.get("contentLength", 0)), purpose=f["competitionName"]
        )

    def rpc_create_submission(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f, submit=True)
        if bundle.comp.code_competition:
            raise Refused(400, "This is a code competition: submit a notebook version, not a file.")
        ref = self.submissions.create(
            bundle.slug, f.get("blobFileTokens", ""), f.get("submissionDescription", "")
        )
        return {
            "message": f"Successfully submitted to {bundle.comp.title or bundle.slug}",
            "ref": ref,
        }

    def rpc_create_code_submission(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f, submit=True)
        if self.code is None:
            raise Refused(404, "This sandbox runs no kernels.")
        ref = self.code.create(
            bundle,
            f"{f.get('kernelOwner', '')}/{f.get('kernelSlug', '')}",
            f.get("kernelVersion") or None,
            file_name=f.get("fileName", ""),
            description=f.get("submissionDescription", ""),
        )
        return {
            "message": f"Successfully submitted to {bundle.comp.title or bundle.slug}",
            "ref": ref,
        }

    def rpc_list_submissions(self, request: Request, f: Fields) -> Fields:
        bundle = self._bundle(f)
        rows = self.submissions.of_team(bundle.slug)
        if f.get("group", "").endswith("SUCCESSFUL"):
            rows = [r for r in rows if r["status"] == "COMPLETE"]
        if f.get("group", "").endswith("SELECTED"):
            rows = []  # nobody can select here: the two best in public count
        order = f.get("sortBy", "").removeprefix("SUBMISSION_SORT_BY_")
        if order == "PUBLIC_SCORE" or (order == "PRIVATE_SCORE" and is_over(bundle)):
            rows = sorted(
                rows,
                key=lambda r: (
                    r[order.lower()] is None,
                    (-1 if bundle.higher_is_better else 1) * (r[order.lower()] or 0),
                ),
            )
        elif order == "NAME":
            rows = sorted(rows, key=lambda r: r["file_name"])
        return page("submissions", [self._submission(bundle, r) for r in rows], f)

    def rpc_get_submission(self, request: Request, f: Fields) -> Fields:
        row = self._row(f.get("ref", 0))
        return self._submission(self.bundles[row["slug"]], row)

    def rpc_download_submission(self, request: Request, f: Fields) -> Response:
        row = self._row(f.get("submissionId", 0))
        return RedirectResponse(
            self.transfers.link(
                request, self.submissions.state.blob(row["blob"]), row["file_name"]
            ),
            302,
        )

    def rpc_list_team_public_submissions(self, request: Request, f: Fields) -> Fields:
        entries = [
            r
            for b in self.bundles.values()
            for r in self.submissions.standings(b.slug)
            if _number_of(r["team"]) == f.get("teamId")
        ]
        return {
            "submissions": [
                {"id": r["ref"], "dateSubmitted": r["date"], "publicScore": score_text(r["score"])}
                for r in entries
            ]
        }

    def rpc_get_submission_limits(self, request: Request, f: Fields) -> Fields:
        return self.submissions.limits(self._bundle(f).slug)

    def _bundle(self, f: Fields, *, download: bool = False, submit: bool = False) -> Bundle:
        "The competition asked for, or Kaggle's own refusal: an unknown one is forbidden, not missing."
        bundle = self.bundles.get(f.get("competitionName", ""))
        if bundle is None:
            raise Refused(
                403, f"Permission 'competitions.{'participate' if submit else 'get'}' was denied"
            )
        if not bundle.comp.sandbox.rules_accepted:
            if download:
                raise Refused(
                    403,
                    "You must accept this competition's rules before you'll be able to download files.",
                )
            if submit:
                raise Refused(403, "You cannot submit until you accept the competition rules")
        return bundle

    def _row(self, ref: int) -> Fields:
        row = self.submissions.one(ref)
        if row is None or row["slug"] not in self.bundles:
            raise Refused(404, f"Submission {ref} was not found.")
        return row

    def _standings(self, bundle: Bundle, f: Fields) -> list[Fields]:
        return self.submissions.standings(
            bundle.slug, private=is_over(bundle) and not f.get("overridePublic")
        )

    def _facts(self, bundle: Bundle) -> Fields:
        comp, url = bundle.comp, f"https://www.kaggle.com/competitions/{bundle.slug}"
        standings = self._standings(bundle, {})
        rank = next((i for i, r in enumerate(standings, 1) if not r["is_reference"]), None)
        return {
            "id": _number_of(bundle.slug),
            "ref": url,
            "url": url,
            "title": comp.title or bundle.slug,
            "description": f"{comp.kind}, {comp.task}",
            "organizationName": "sandbox",
            "category": "Getting Started",
            "reward": "Knowledge",
            "tags": [],
            "deadline": stamp(deadline(bundle)),
            "teamCount": len(standings),
            "userHasEntered": comp.sandbox.rules_accepted,
            "maxDailySubmissions": self.submissions.daily_limit(bundle),
            "maxTeamSize": 1,
            "evaluationMetric": comp.metric,
            "isKernelsSubmissionsOnly": comp.code_competition,
            "enabledDate": "2020-01-01T00:00:00Z",
            "dateCreated": "2020-01-01T00:00:00Z",
            "hostName": "sandbox",
            **({"userRank": rank} if rank else {}),
        }

    def _submission(self, bundle: Bundle, r: Fields) -> Fields:
        done, shows_private = r["status"] == "COMPLETE", is_over(bundle) or r["late"]
        return {
            "ref": r["ref"],
            "totalBytes": r["size"],
            "date": r["date"],
            "description": r["description"],
            "errorDescription": r["error"] or "",
            "fileName": r["file_name"],
            "publicScore": score_text(r["public_score"]) if done else "",
            "privateScore": score_text(r["private_score"]) if done and shows_private else "",
            "status": r["status"],
            "submittedBy": self.user,
            "submittedByRef": self.user,
            "teamName": r["team"],
            "url": f"https://www.kaggle.com/submissions/{r['ref']}",
        }


def score_text(score: float | None) -> str:
    "Return a score as Kaggle writes it: five decimals; empty for none."
    return "" if score is None else f"{score:.5f}"


def _file(name: str, file: Path) -> Fields:
    return {
        "ref": name,
        "name": name,
        "totalBytes": file.stat().st_size,
        "creationDate": changed(file),
    }


def _number_of(name: str) -> int:
    "A number that stays the same from run to run."
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
