complete --keep-order --exclusive --command sgsend --arguments "(SGSEND_COMPLETE=fish sgsend -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
