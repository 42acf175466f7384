// Last of all scripts: every panel listens by now.
report.select(report.data.first);
report.openAddress();
