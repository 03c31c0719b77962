"""The rules of progress read slowly from the whole history: what the quick reading is held against."""

from __future__ import annotations

from agentical import events as ev


class Slow:
    """The same rules read from the whole history each time; kept is only what was once found to be over, and how."""

    ENDS = (ev.StepCompleted, ev.StepFailed, ev.StepSkipped, ev.StepCancelled)

    def __init__(self, graph):
        self.steps = {step.id: step for step in sorted(graph.steps, key=lambda step: step.rank)}
        self.needs = {step.id: [graph.steps[index].id for index in step.waits] for step in graph.steps}
        self.leads = {step.id: {route.to for route in step.routes} & set(self.steps) for step in graph.steps}
        self.targets = set().union(*self.leads.values()) | {one.id for one in graph.steps if one.starts == "edge"}
        self.over: dict[str, str] = {}
        self.unreached: set[str] = set()
        self.starts_itself: dict[str, bool] = {}

    def see(self, journal):
        self.history = [entry.event for entry in journal]
        self.let_start()
        while isinstance(self.history[-1], self.ENDS) and self.something_is_over():
            self.let_start()

    def ends(self, step):
        return [one for one in self.history if isinstance(one, self.ENDS) and one.step == step]

    def begun(self, step):
        return [one.visit for one in self.history if isinstance(one, ev.VisitStarted) and one.step == step]

    def running(self, step):
        return len(self.begun(step)) - sum(getattr(one, "visit", None) in self.begun(step) for one in self.ends(step))

    def decided(self, step):
        return len(self.begun(step)) + sum(
            getattr(one, "visit", None) not in self.begun(step) for one in self.ends(step)
        )

    def arrivals(self, step):
        return sum(getattr(one, "to", None) == step for one in self.history)

    def completed_needs(self, step):
        return sum(self.over.get(need) == "completed" for need in self.needs[step])

    def may_start(self, step):
        join = self.steps[step].join
        enough = join is not None and self.completed_needs(step) >= join
        return enough or all(need in self.over for need in self.needs[step])

    def due(self, step):
        """How often it is to be decided now."""
        owed = step in self.unreached
        if self.may_start(step):
            owed += self.arrivals(step) + self.starts_itself.get(step, False)
        return owed - self.decided(step)

    def alive(self):
        """What moves, and all that it may lead to by any arrow."""
        moving = {step for step in self.steps if self.running(step) or self.due(step) > 0}
        found, todo = set(), list(moving)
        while todo:
            one = todo.pop()
            after = self.leads[one] | {step for step, needs in self.needs.items() if one in needs}
            todo += after - found
            found |= after
        return moving, found

    def let_start(self):
        for step, spec in self.steps.items():
            if spec.starts == "needs" and step not in self.starts_itself and self.may_start(step):
                led_here = self.arrivals(step) and self.completed_needs(step) < (spec.join or 1)
                self.starts_itself[step] = not led_here

    def something_is_over(self):
        moving, reached = self.alive()
        for step, spec in sorted(self.steps.items(), key=lambda one: one[0] in self.targets):
            if step in moving or (step in self.targets and step in reached) or step in self.over:
                continue
            if self.decided(step):
                self.over[step] = self.how(step)
                return True
            if spec.starts == "edge" and not self.arrivals(step):
                self.unreached.add(step)
                return True
        return False

    def status(self, step):
        """Of the visit that ended last, whatever was skipped afterwards."""
        visits = [one for one in self.ends(step) if not isinstance(one, ev.StepSkipped)]
        names = {ev.StepCompleted: "completed", ev.StepFailed: "failed", ev.StepCancelled: "cancelled"}
        return names[type(visits[-1])] if visits else "skipped"

    def how(self, step):
        """How what needs it sees it."""
        return "skipped" if getattr(self.ends(step)[-1], "to", None) else self.status(step)
