set edit:completion:arg-completer[sgsend] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) SGSEND_COMPLETE="elvish" sgsend -- $@words) | to-lines
}
