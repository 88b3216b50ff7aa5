$ns_ at 9.0 "$g(0) stop"
