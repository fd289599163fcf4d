"""The competition endpoints: the RPC methods of CompetitionApiService."""

from dataclasses import dataclass

from starlette.responses import Response

from .bundles import Bundle
from .kernels.code_submissions import CodeSubmissions
from .leaderboard_file import number_of, score_text, team_id, zipped_leaderboard
from .limits import daily_submissions
from .listing import count_by_extension, file_rows, list_folder
from .rpc import Fields, Refused, Row, Service, need, now, page, public_read, timestamp
from .submissions import Submissions, deadline, is_over
from .transfers import Transfers

_CATEGORIES = ("", "UNSPECIFIED", "ALL", "GETTING_STARTED")  # that include the competitions here


@dataclass
class CompetitionService(Service):
    """The methods of CompetitionApiService."""

    bundles: dict[str, Bundle]
    submissions: Submissions
    transfers: Transfers
    user: str
    code: CodeSubmissions

    def rpc_list_competitions(self, fields: Fields) -> Row:
        words = fields.text("search").lower()
        found = [b for b in self.bundles.values() if words in f"{b.slug} {b.comp.title}".lower()]
        group = fields.enum("group", "COMPETITION_LIST_TAB_")
        if group == "ENTERED":
            found = [b for b in found if b.comp.sandbox.rules_accepted]
        is_here = fields.enum("category", "HOST_SEGMENT_") in _CATEGORIES
        if group in ("HOSTED", "COMMUNITY") or not is_here:
            found = []
        order = fields.enum("sortBy", "COMPETITION_SORT_BY_")
        if order in ("EARLIEST_DEADLINE", "LATEST_DEADLINE"):
            found.sort(key=deadline, reverse=order == "LATEST_DEADLINE")
        elif order == "NUMBER_OF_TEAMS":
            found.sort(key=lambda b: len(self._standings(b)), reverse=True)
        return page("competitions", [self._facts(b) for b in found], fields)

    def rpc_get_competition(self, fields: Fields) -> Row:
        return self._facts(self._bundle(fields))

    def rpc_list_data_files(self, fields: Fields) -> Row:
        rows = file_rows(self._bundle(fields).files)
        return page("files", [{"ref": r["name"], **r} for r in rows], fields)

    def rpc_list_data_tree_files(self, fields: Fields) -> Row:
        return list_folder(self._bundle(fields).files, fields)

    def rpc_get_competition_data_files_summary(self, fields: Fields) -> Row:
        return count_by_extension(self._bundle(fields).files)

    @public_read
    def rpc_list_competition_pages(self, fields: Fields) -> Row:
        bundle, wanted = self._bundle(fields), fields.text("pageName").lower()
        sizes = [f"- {r['name']}: {r['totalBytes']} bytes" for r in file_rows(bundle.files)]
        pages = {
            "Description": bundle.comp.title or bundle.slug,
            "Evaluation": f"Submissions are scored by {bundle.comp.metric}.",
            "Timeline": f"The last day is {deadline(bundle):%Y-%m-%d}.",
            "data-description": "\n".join(sizes),
            "rules": "This is a rehearsal: there are no prizes.",
        }
        rows = [
            {"name": k, "content": v, "isPublished": True, "mimeType": "text/markdown"}
            for k, v in pages.items()
            if wanted in ("", k.lower())
        ]
        return {"pages": rows}

    def rpc_download_data_file(self, fields: Fields) -> Response:
        bundle = self._bundle(fields, to="download")
        return self.transfers.redirect_to_one(
            fields, bundle.files, fields.text("fileName"), where=bundle.slug, zips_large=True
        )

    def rpc_download_data_files(self, fields: Fields) -> Response:
        return self.transfers.redirect_to_all(fields, self._bundle(fields, to="download").files)

    def rpc_get_leaderboard(self, fields: Fields) -> Row:
        bundle = self._bundle(fields)
        rows = [
            {
                "teamId": team_id(r),
                "teamName": r["team"],
                "submissionDate": r["date"],
                "score": score_text(r["score"]),
            }
            for r in self._standings(bundle, public=bool(fields.get("overridePublic")))
        ]
        return page("submissions", rows, fields)

    def rpc_download_leaderboard(self, fields: Fields) -> Response:
        bundle = self._bundle(fields)
        standings = self._standings(bundle, public=bool(fields.get("overridePublic")))
        name = f"{bundle.slug}-{'private' if is_over(bundle) else 'public'}leaderboard"
        content = zipped_leaderboard(f"{name}-{now()[:19]}.csv", standings, self.user)
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    def rpc_start_submission_upload(self, fields: Fields) -> Row:
        bundle = self._bundle(fields, to="submit")
        return self.transfers.open_upload(fields, purpose=bundle.slug)

    def rpc_create_submission(self, fields: Fields) -> Row:
        bundle = self._bundle(fields, to="submit")
        if bundle.comp.code_competition:
            raise Refused(400, "This is a code competition: submit a notebook version, not a file.")
        ref = self.submissions.create(
            bundle.slug, fields.text("blobFileTokens"), fields.text("submissionDescription")
        )
        return _submitted(bundle, ref)

    def rpc_create_code_submission(self, fields: Fields) -> Row:
        bundle = self._bundle(fields, to="submit")
        ref = self.code.create(
            bundle,
            f"{fields.text('kernelOwner')}/{fields.text('kernelSlug')}",
            fields.number("kernelVersion") or None,
            file_name=fields.text("fileName"),
            description=fields.text("submissionDescription"),
        )
        return _submitted(bundle, ref)

    def rpc_list_submissions(self, fields: Fields) -> Row:
        bundle, group = self._bundle(fields), fields.text("group")
        rows = self.submissions.of_team(bundle.slug)
        if group.endswith("SUCCESSFUL"):
            rows = [r for r in rows if r["status"] == "COMPLETE"]
        if group.endswith("SELECTED"):
            rows = []  # the sandbox has no selection: the two best in public count
        order = fields.enum("sortBy", "SUBMISSION_SORT_BY_")
        # Before the end, the order must not show which private score is better.
        if order == "PUBLIC_SCORE" or (order == "PRIVATE_SCORE" and is_over(bundle)):
            column, sign = order.lower(), -1 if bundle.higher_is_better else 1
            rows.sort(key=lambda r: (r[column] is None, sign * (r[column] or 0)))
        elif order == "NAME":
            rows.sort(key=lambda r: r["file_name"])
        return page("submissions", [self._submission(r) for r in rows], fields)

    def rpc_get_submission(self, fields: Fields) -> Row:
        return self._submission(self._find_submission(fields.number("ref")))

    def rpc_download_submission(self, fields: Fields) -> Response:
        row = self._find_submission(fields.number("submissionId"))
        file = self.submissions.state.blob(row["blob"])
        return self.transfers.redirect(fields, file, row["file_name"])

    def rpc_list_team_public_submissions(self, fields: Fields) -> Row:
        team = fields.number("teamId")
        rows = [
            {"id": r["ref"], "dateSubmitted": r["date"], "publicScore": score_text(r["score"])}
            for slug in self.bundles
            for r in self.submissions.standings(slug)
            if team_id(r) == team
        ]
        return {"submissions": rows}

    def rpc_get_submission_limits(self, fields: Fields) -> Row:
        return self.submissions.limits(self._bundle(fields).slug)

    def _bundle(self, fields: Fields, *, to: str = "") -> Bundle:
        """Return the competition of a request to read its facts, to download or to submit.

        Raises Refused as Kaggle does: an unknown competition is forbidden, not missing.
        """
        bundle = self.bundles.get(fields.text("competitionName"))
        if bundle is None:
            permission = "participate" if to == "submit" else "get"
            raise Refused(403, f"Permission 'competitions.{permission}' was denied")
        if not bundle.comp.sandbox.rules_accepted and to == "download":
            raise Refused(
                403,
                "You must accept this competition's rules before you'll be able to download files.",
            )
        if not bundle.comp.sandbox.rules_accepted and to == "submit":
            raise Refused(403, "You cannot submit until you accept the competition rules")
        return bundle

    def _find_submission(self, ref: int) -> Row:
        row = self.submissions.one(ref)
        is_known = row is not None and row["slug"] in self.bundles
        return need(row if is_known else None, f"Submission {ref} was not found.")

    def _standings(self, bundle: Bundle, *, public: bool = False) -> list[Row]:
        return self.submissions.standings(bundle.slug, private=is_over(bundle) and not public)

    def _facts(self, bundle: Bundle) -> Row:
        comp, url = bundle.comp, f"https://www.kaggle.com/competitions/{bundle.slug}"
        standings = self._standings(bundle)
        facts = {
            "id": number_of(bundle.slug),
            "ref": url,
            "url": url,
            "title": comp.title or bundle.slug,
            "description": f"{comp.kind}, {comp.task}",
            "organizationName": "sandbox",
            "category": "Getting Started",
            "reward": "Knowledge",
            "tags": [],
            "deadline": timestamp(deadline(bundle)),
            "teamCount": len(standings),
            "userHasEntered": comp.sandbox.rules_accepted,
            "maxDailySubmissions": daily_submissions(comp),
            "maxTeamSize": 1,
            "evaluationMetric": comp.metric,
            "isKernelsSubmissionsOnly": comp.code_competition,
            **dict.fromkeys(("enabledDate", "dateCreated"), "2020-01-01T00:00:00Z"),
            "hostName": "sandbox",
        }
        if rank := own_rank(standings):
            facts["userRank"] = rank
        return facts

    def _submission(self, r: Row) -> Row:
        public, private = visible_scores(self.bundles[r["slug"]], r)
        return {
            "ref": r["ref"],
            "totalBytes": r["size"],
            "date": r["date"],
            "description": r["description"],
            "errorDescription": r["error"] or "",
            "fileName": r["file_name"],
            "publicScore": public,
            "privateScore": private,
            "status": r["status"],
            **dict.fromkeys(("submittedBy", "submittedByRef"), self.user),
            "teamName": r["team"],
            "url": f"https://www.kaggle.com/submissions/{r['ref']}",
        }


def visible_scores(bundle: Bundle, r: Row) -> tuple[str, str]:
    """Return the public and private score that a competitor may see of a submission."""
    if r["status"] != "COMPLETE":
        return "", ""
    shows_private = is_over(bundle) or r["late"]
    return score_text(r["public_score"]), score_text(r["private_score"]) if shows_private else ""


def own_rank(standings: list[Row]) -> int | None:
    """Return the rank of the competitor's team, or None before its first score."""
    return next((i for i, r in enumerate(standings, 1) if not r["is_reference"]), None)


def _submitted(bundle: Bundle, ref: int) -> Row:
    title = bundle.comp.title or bundle.slug
    return {"message": f"Successfully submitted to {title}", "ref": ref}
