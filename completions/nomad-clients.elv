
set edit:completion:arg-completer[nomad-clients] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) NOMAD_CLIENTS_COMPLETE="elvish" nomad-clients -- $@words) | to-lines
}

