$node_(0) set X_ 0
$node_(0) set Y_ 0
$ns_ at 5.0 "$node_(0) setdest 10 0 1e-320"
