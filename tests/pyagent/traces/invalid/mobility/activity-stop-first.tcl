$ns_ at 9.0 "$g(0) start"
$ns_ at 3.0 "$g(0) stop"
