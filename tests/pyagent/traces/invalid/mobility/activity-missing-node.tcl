$ns_ at 0.0 "$g(1) start"
