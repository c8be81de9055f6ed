"""Steps of a run: functions of a StepContext that return JSON and are safe to repeat."""
