# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nomad_clients_global_optspecs
    string join \n a/address= region= token-file= ca-cert= ca-path= client-cert= client-key= tls-server-name= tls-skip-verify redis= redis-ca-cert= redis-client-cert= redis-client-key= cache= cache-prefix= share= ttl= detail-ttl= timeout= compress= concurrency= config= require-tls q/quiet v/verbose color= h/help V/version
end

function __fish_nomad_clients_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nomad_clients_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nomad_clients_using_subcommand
    set -l cmd (__fish_nomad_clients_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -s V -l version -d 'Print version'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "list" -d 'Show the nodes, from the cache while it is fresh'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "clients" -d 'Show the nodes, from the cache while it is fresh'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "ls" -d 'Show the nodes, from the cache while it is fresh'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "show" -d 'Show one node in full'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "refresh" -d 'Ask Nomad now, fetch what changed, write back'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "cache" -d 'Clear the cache, or tell what is in it'
complete -c nomad-clients -n "__fish_nomad_clients_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l stale-if-error -d 'In an outage of Nomad show the last answer up to this age, with a warning and exit code 0' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -s o -l output -d 'How to print' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
name\t''
id\t''"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l refresh -d 'Ask Nomad now: one call, and one for each new or changed node'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l force -d 'Ask Nomad for everything again'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l allow-partial -d 'Exit with 0 although some nodes are without details'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l json -d 'The same as --output json'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l full -d 'In JSON: attributes, resources, host volumes and host networks too'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l no-headers -d 'Leave out the line of column names'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand list" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l stale-if-error -d 'In an outage of Nomad show the last answer up to this age, with a warning and exit code 0' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -s o -l output -d 'How to print' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
name\t''
id\t''"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l refresh -d 'Ask Nomad now: one call, and one for each new or changed node'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l force -d 'Ask Nomad for everything again'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l allow-partial -d 'Exit with 0 although some nodes are without details'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l json -d 'The same as --output json'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l full -d 'In JSON: attributes, resources, host volumes and host networks too'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l no-headers -d 'Leave out the line of column names'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand clients" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l stale-if-error -d 'In an outage of Nomad show the last answer up to this age, with a warning and exit code 0' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -s o -l output -d 'How to print' -r -f -a "table\t''
wide\t''
json\t''
jsonl\t''
name\t''
id\t''"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l refresh -d 'Ask Nomad now: one call, and one for each new or changed node'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l force -d 'Ask Nomad for everything again'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l allow-partial -d 'Exit with 0 although some nodes are without details'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l json -d 'The same as --output json'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l full -d 'In JSON: attributes, resources, host volumes and host networks too'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l no-headers -d 'Leave out the line of column names'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand ls" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l json -d 'Print one full record as JSON'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l show-secrets -d 'Show values of metadata and attributes whose key holds token, secret or password'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand show" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l json -d 'Print the counts as JSON'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand refresh" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -f -a "clear" -d 'Forget everything; nothing older is ever served again'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and not __fish_seen_subcommand_from clear stats" -f -a "stats" -d 'Tell where the cache is, what is in it and what it was good for'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l json -d 'Print everything as JSON'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand cache; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -s a -l address -d 'Nomad\'s address: http://, https:// or unix:///path; a path prefix is kept [default: http://127.0.0.1:4646]' -r -f
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l region -d 'Region to ask for' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l token-file -d 'File that holds the ACL token (else the variable NOMAD_TOKEN)' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l ca-cert -d 'PEM file with the authorities that Nomad\'s certificate may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l ca-path -d 'Folder of such files; --ca-cert wins over it' -r -f -a "(__fish_complete_directories)"
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l client-cert -d 'PEM file with the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l client-key -d 'PEM file with the key of the client certificate' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l tls-server-name -d 'Name that Nomad\'s certificate must have' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l redis -d 'Redis: redis://, rediss:// or unix:// [default: redis://localhost:6379/0]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l redis-ca-cert -d 'PEM file with the authorities that the certificate of Redis may be of' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l redis-client-cert -d 'PEM file with the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l redis-client-key -d 'PEM file with the key of the client certificate for Redis' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l cache -d 'Where to cache: auto, redis, local, none; auto is Redis, or files of this machine without it [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l cache-prefix -d 'Own key names in Redis: nomad:clients:NAME:…' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l share -d 'Who shares a cache: token (who has the same token), or cluster (all; whoever reads the Redis reads the nodes) [default: token]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l ttl -d 'How long an answer is fresh; 0s = never [default: 60s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l detail-ttl -d 'How long details are kept for the next update [default: 5m]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l timeout -d 'How long the whole command may take [default: 30s]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l compress -d 'Ask for the list with gzip: auto (not on this machine), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l concurrency -d 'Details asked for at the same time, 1 to 100 [default: 16]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l config -d 'Configuration file [default: config.toml in the user\'s configuration folder]' -r -F
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l color -d 'Colours: auto (on a terminal), always, never [default: auto]' -r
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l tls-skip-verify -d 'Do not verify Nomad\'s certificate (also: NOMAD_SKIP_VERIFY=true)'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -l require-tls -d 'Refuse plain http and redis beyond this machine'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -s q -l quiet -d 'No notices and warnings'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -s v -l verbose -d 'More notices; twice: every call'
complete -c nomad-clients -n "__fish_nomad_clients_using_subcommand completions" -s h -l help -d 'Print help'
