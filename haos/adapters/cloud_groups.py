"""Security groups: made whole or not at all, and brought to exactly the rules that are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_errors import LostAnswerError, RuleExistsError
from haos.adapters.cloud_ports import CONFLICT_DEADLINE_S, LOST_ATTEMPTS
from haos.adapters.cloud_rest import Json, Rest, patiently
from haos.core.model import SecurityGroup, SecurityRule
from haos.core.security import rule_changes
from haos.errors import HaosError, LeftoverError, NotFoundError


class SecurityGroups:
    """The security groups of a project."""

    def __init__(self, neutron: Rest, project_id: str) -> None:
        self._neutron = neutron
        self._project_id = project_id

    def get(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get groups with their rules, those that are visible."""
        return self._list({"id": list(ids)}) if ids else ()

    def named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's groups of that name."""
        found = self._list({"name": name, "project_id": self._project_id})
        return tuple(group for group in found if group.name == name)  # most databases ignore case

    def _list(self, query: Mapping[str, str | list[str]]) -> tuple[SecurityGroup, ...]:
        return tuple(map(parse.group, self._neutron.pages("/security-groups", "list security groups", query)))

    def make(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a group with exactly these rules; undoes itself if it cannot finish."""
        made = self._new(name, description)
        try:
            return self.set_rules(made, rules)
        except (HaosError, KeyboardInterrupt) as error:
            self._unmake(made.id, error)
            raise

    def _new(self, name: str, description: str) -> SecurityGroup:
        """Create a group; where the answer was lost, take one that is there, else ask again.

        Neutron lets many have one name and description: of two that were made after all one is used, and teardown
        finds both.
        """
        body = {"security_group": {"name": name, "description": description}}
        lost = False

        def attempt() -> SecurityGroup:
            nonlocal lost
            if lost and (ours := self._marked(name, description)):
                return ours[0]
            try:
                answer = self._neutron.write("POST", "/security-groups", f"make security group {name}", body)
            except LostAnswerError:
                lost = True
                if ours := self._marked(name, description):
                    return ours[0]
                raise
            return parse.group(parse.part(answer, "security_group", "cannot read a new security group"))

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def _marked(self, name: str, description: str) -> list[SecurityGroup]:
        return [group for group in self.named(name) if group.description == description]

    def _unmake(self, group_id: str, error: BaseException) -> None:
        try:
            self.delete(group_id)
        except HaosError as second:
            reason = f"{error or 'interrupted'}. Not undone: security group {group_id} ({second})"
            raise LeftoverError(reason, hint=f"openstack security group delete {group_id}") from error

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Bring a group to exactly these rules: what is missing first, so that nothing stops to pass meanwhile."""
        known = group

        def attempt() -> SecurityGroup:
            nonlocal known
            kept, missing, unwanted = rule_changes(known.rules, rules)
            try:
                added = self._add(known, missing)
            except (LostAnswerError, RuleExistsError):
                known = self._again(group)
                raise
            for rule in unwanted:
                self._delete_rule(rule, group.name)
            return replace(known, rules=kept + added)

        return patiently(
            attempt, (LostAnswerError, RuleExistsError), attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S
        )

    def mark(self, group: SecurityGroup, description: str) -> SecurityGroup:
        """Give a group a description."""
        body: Json = {"security_group": {"description": description}}

        def attempt() -> SecurityGroup:
            what = f"describe security group {group.name}"
            return parse.group(
                self._neutron.write("PUT", f"/security-groups/{group.id}", what, body)["security_group"]
            )

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def _again(self, group: SecurityGroup) -> SecurityGroup:
        for now in self.get([group.id]):
            return now
        raise NotFoundError(
            f"security group {group.id} ({group.name}) is gone",
            hint="somebody deleted it; run the same command again",
        )

    def _add(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> tuple[SecurityRule, ...]:
        if not rules:
            return ()
        body: Json = {"security_group_rules": [parse.rule_body(rule, group.id) for rule in rules]}
        what = f"make the rules of security group {group.name}"
        answer = self._neutron.write("POST", "/security-group-rules", what, body)
        return tuple(map(parse.rule, parse.parts(answer, "security_group_rules", f"cannot {what}")))

    def _delete_rule(self, rule: SecurityRule, name: str) -> None:
        self._neutron.delete(f"/security-group-rules/{rule.id}", f"delete a rule of security group {name}")

    def delete(self, group_id: str) -> None:
        """Delete a group; one that is gone already is fine."""
        self._neutron.delete(f"/security-groups/{group_id}", f"delete security group {group_id}")
