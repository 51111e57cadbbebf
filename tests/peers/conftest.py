"""The summary of the comparison: how many examples, and which functions PyTorch does not have."""


def pytest_terminal_summary(terminalreporter):
    recorded = [pair for report in terminalreporter.getreports("passed") for pair in report.user_properties]
    examples = [value for name, value in recorded if name == "examples"]
    if examples:
        terminalreporter.section("agreement with PyTorch")
        for name, lines in recorded:
            if name == "exceptions":
                terminalreporter.write_line("\n".join(lines))
        each = f"{min(examples)} to {max(examples)}" if min(examples) < max(examples) else examples[0]
        terminalreporter.write_line(
            f"{len(examples)} comparisons (function and dtype), {each} examples each; forward, JVP and VJP")
