"""The names of licenses that Kaggle documents for datasets and models."""

_KNOWN = """
CC0-1.0, CC-BY-3.0, CC-BY-3.0-IGO, CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-NC-4.0,
CC-BY-NC-SA-3.0-IGO, CC-BY-NC-SA-4.0, CC-BY-ND-4.0, CC-BY-NC-ND-4.0, PDDL, ODbL-1.0, DbCL-1.0,
ODC-BY-1.0, CDLA-Permissive-1.0, CDLA-Sharing-1.0, GPL-2.0, GPL-3.0, LGPL-3.0, AGPL-3.0, FDL-1.3,
US-Government-Works, EU-ODP-Legal-Notice, copyright-authors, other, unknown, Apache 2.0, apache-2.0,
MIT, BSD-3-Clause, GPL 2, GPL 3, GNU Affero General Public License 3.0,
GNU Free Documentation License 1.3, GNU Lesser General Public License 3.0, CC0: Public Domain,
CC BY-SA 3.0, CC BY-SA 4.0, CC BY-NC-SA 4.0, Attribution 3.0 IGO (CC BY 3.0 IGO),
Attribution 3.0 Unported (CC BY 3.0), Attribution 4.0 International (CC BY 4.0),
Attribution-NoDerivatives 4.0 International (CC BY-ND 4.0),
Attribution-NonCommercial 4.0 International (CC BY-NC 4.0),
Attribution-NonCommercial-NoDerivatives 4.0 International (CC BY-NC-ND 4.0),
Attribution-NonCommercial-ShareAlike 3.0 IGO (CC BY-NC-SA 3.0 IGO),
Community Data License Agreement - Permissive - Version 1.0,
Community Data License Agreement - Sharing - Version 1.0, ODC Attribution License (ODC-By),
ODC Public Domain Dedication and Licence (PDDL)
"""
_NAMES = {" ".join(name.split()).lower() for name in _KNOWN.split(",")}


def license_errors(name: str) -> list[str]:
    """Return an error unless the name is empty or the one of a known license."""
    if not name or name.lower() in _NAMES:
        return []
    return [f"The license {name!r} is unknown. Use a name such as CC0-1.0, Apache 2.0 or MIT."]
